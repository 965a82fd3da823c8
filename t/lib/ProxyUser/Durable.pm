package ProxyUser::Durable;

# Changes of every kind at once, while Redis, nginx's workers and the command
# are killed; and what has become of them.
#
#   my $nginx = durable_nginx(redis => '...', http => ..., workers => 2);
#   my $storm = storm($redis, $nginx, seconds => 5,    or changes => 10000
#                     redis => 1.5, worker => 1);      seconds between kills
#       { tried, done, redis, worker, command }        how often
#   killed_and_back($redis)           once, by kill -9
#   my @lost = lost($storm);          changes that were acknowledged and are
#                                     not there, as sentences
#   my @half = half_made();           what does not fit together in Redis, by
#                                     its keys alone
#   my @old = unseen($storm, $nginx)  users of whom nginx does not say what
#                                     Redis does, within a few seconds
#
# What was not acknowledged may be there or not: then both will do.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep time);

use ProxyUser::Nginx qw(parallel read_file write_file);
use ProxyUser::Redis qw(redis);
use ProxyUser::Scim qw(scim_server $SECRET);
use ProxyUser::Store qw(store_nginx as proxy_user within);
use ProxyUser::Token qw(handle_digest issuer_url);

our @EXPORT = qw(
    durable_nginx storm lost half_made unseen killed_and_back
);

my $json = JSON::PP->new->utf8;
my $storms = 0;


# An nginx in which users are made by tokens, by a directory, and have keys.
sub durable_nginx {
    my (%opt) = @_;

    my $scim = scim_server();
    my ($location) = $scim =~ m{(location /scim/v2/ \{.*?\n\})}s;

    return store_nginx(redis => 'timeout=2s',
        expect => qr/exited on signal 9|was locked by/, %opt,
        server => $location
        . "\nproxy_user_credential bearer api_key=X-API-Key;\n"
        . ($opt{server} // ''));
}


sub storm {
    my ($redis, $nginx, %opt) = @_;

    my $end = time + ($opt{seconds} // 600);
    my $each = $opt{changes} ? $opt{changes} / 4 : 1e9;
    my $file = write_file('storm-' . ++$storms, '');
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        my @work = (\&directory, \&first_tokens, \&commands, \&commands);
        my @all = parallel(scalar @work, sub {
            my ($i) = @_;
            my $book = { name => "s$storms-$i", tried => 0, done => 0,
                         command => 0, users => [] };
            my $more = sub { time < $end && $book->{tried} < $each };
            $work[$i]->($nginx, $book, $more);
            return $book;
        });
        write_file($file, $json->encode(\@all));
        POSIX::_exit(0);
    }

    my %killed = kill_until_gone($pid, $redis, $nginx, %opt);
    my $books = $json->decode(read_file($file));
    for my $book (@$books) {
        die $book->{error} // 'a writer has ended', "\n"
            unless $book && $book->{users};
    }

    my %sum = (%killed, users => [map { @{ $_->{users} } } @$books]);

    for my $book (@$books) {
        $sum{$_} += $book->{$_} for qw(tried done command);
    }

    return \%sum;
}


sub kill_until_gone {
    my ($pid, $redis, $nginx, %opt) = @_;

    my %killed = (redis => 0, worker => 0);
    my %next = map { $_ => time + $opt{$_} } grep { $opt{$_} } keys %killed;

    until (waitpid $pid, POSIX::WNOHANG()) {
        sleep 0.02;

        if ($next{redis} && time > $next{redis}) {
            killed_and_back($redis);
            $next{redis} = time + $opt{redis} * (0.5 + rand);
            $killed{redis}++;
        }

        if ($next{worker} && time > $next{worker}) {
            my @worker = $nginx->workers;
            kill KILL => $worker[rand @worker] if @worker;
            $next{worker} = time + $opt{worker} * (0.5 + rand);
            $killed{worker}++;
        }
    }

    return %killed;
}


# Redis, by kill -9; it has read what it has written when this returns.
sub killed_and_back {
    my ($redis) = @_;

    $redis->stop;
    sleep 0.05;
    $redis->run or die "redis-server does not start again\n";
    defined within(20, sub { eval { $redis->command('PING'); 1 } })
        or die "redis-server does not come back\n";
}


# One change: a value a field may have from now on. What was acknowledged is
# the only one; what was not may have come or not.
sub note {
    my ($book, $user, $field, $value, $acknowledged) = @_;

    $book->{tried}++;

    if ($acknowledged) {
        $book->{done}++;
        $user->{may}{$field} = [$value];
    } else {
        sleep 0.01;
        push @{ $user->{may}{$field} //= [''] }, $value;
    }

    return $acknowledged;
}


# A change of which nothing is noted yet. Whoever is refused waits a moment.
sub tried {
    my ($book, $acknowledged) = @_;

    $book->{tried}++;
    $book->{done}++ if $acknowledged;
    sleep 0.01 unless $acknowledged;
    return $acknowledged;
}


# A connection that may have lost its worker is made anew.
sub call {
    my ($nginx, $c, @request) = @_;

    for (1 .. 50) {
        last if $$c //= eval { $nginx->connect };
        sleep 0.02;
    }

    return {} unless $$c;
    my $answer = eval {
        local $SIG{PIPE} = 'IGNORE';
        $$c->ask(@request);
        $$c->answer(timeout => 10);
    };

    undef $$c if !$answer
        || ($answer->{headers}{connection} // '') eq 'close';
    return $answer || {};
}


# A directory: users are made, named, switched off and on again.
sub directory {
    my ($nginx, $book, $more) = @_;

    my ($c, $n);
    my $ask = sub {
        my ($method, $path, $body) = @_;

        return call($nginx, \$c, $method, "/scim/v2$path", token => $SECRET,
                    headers => [['Content-Type' => 'application/scim+json']],
                    body => $json->encode($body));
    };

    while ($more->()) {
        my $name = "$book->{name}-" . ++$n;
        my $r = $ask->('POST', '/Users', { userName => $name });
        tried($book, ($r->{status} // 0) == 201) or next;

        my $user = { id => $json->decode($r->{body})->{id},
                     may => { state => ['active'] } };
        push @{ $book->{users} }, $user;

        for my $change ([title => 'a', 'title'], [active => \0, 'suspended'],
                        [title => 'b', 'title'], [active => \1, 'active'])
        {
            my ($path, $value, $seen) = @$change;
            last unless $more->();
            $r = $ask->('PATCH', "/Users/$user->{id}", { Operations => [
                { op => 'replace', path => $path, value => $value }] });
            note($book, $user, $path eq 'title' ? 'title' : 'state',
                 $path eq 'title' ? $value : $seen,
                 ($r->{status} // 0) == 200);
        }
    }
}


# People who come with their first token, each of them twice.
sub first_tokens {
    my ($nginx, $book, $more) = @_;

    my ($c, $n);

    while ($more->()) {
        my $sub = "$book->{name}-" . ++$n;
        my $token = as($sub);
        my $r = call($nginx, \$c, 'GET', '/', token => $token);
        tried($book, ($r->{status} // 0) == 200) or next;

        push @{ $book->{users} }, { id => $r->{headers}{'x-id'}, sub => $sub,
                                    may => { state => ['active'] } };
        call($nginx, \$c, 'GET', '/', token => $token);
    }
}


# An administrator, some of whose commands are killed on their way.
sub commands {
    my ($nginx, $book, $more) = @_;

    my ($c, $n);

    while ($more->()) {
        my $name = "$book->{name}-" . ++$n;

        if ($n % 4 == 0) {
            killed($book, qw(user create --user-name), "k-$name", '--issuer',
                   issuer_url(), '--subject', "k-$name");
            next;
        }

        my ($code, $id) = proxy_user(qw(user create --role reader),
            '--user-name', $name, '--issuer', issuer_url(), '--subject',
            $name);
        chomp $id;
        tried($book, !$code) or next;

        my $user = { id => $id, sub => $name,
                     may => { state => ['active'] } };
        push @{ $book->{users} }, $user;
        call($nginx, \$c, 'GET', '/', token => as($name));

        note($book, $user, 'role', 'writer',
             !proxy_user(qw(user grant), $id, 'writer'));
        last unless $more->();
        a_key($book, $user) if $n % 2;
        note($book, $user, 'state', 'suspended',
             !proxy_user(qw(user suspend), $id)) if $n % 3 == 0;
        killed($book, qw(user ungrant), $id, 'reader') if $n % 5 == 0;
    }
}


# A key, which is revoked again when the first half of its secret says so.
sub a_key {
    my ($book, $user) = @_;

    my ($code, $secret) = proxy_user(qw(key create), $user->{id});
    tried($book, !$code) or return;

    chomp $secret;
    $user->{key} = $secret;
    note($book, $user, 'key', 'active', 1);
    note($book, $user, 'key', 'revoked',
         !proxy_user(qw(key revoke), substr $secret, 4, 10))
        if $secret =~ /^puk_[a-m]/;
}


sub killed {
    my ($book, @words) = @_;

    my $command = $ENV{PROXY_USER_COMMAND} // 'build/proxy-user';
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        $ENV{PROXY_USER_REDIS} = "unix:$ENV{TEST_NGINX_REDIS_SOCKET}";
        { exec $command, @words }
        POSIX::_exit(127);
    }

    sleep rand 0.02;
    kill KILL => $pid;
    waitpid $pid, 0;
    $book->{tried}++;
    $book->{command}++ if $? == 9;
}


sub lost {
    my ($storm) = @_;

    my @lost;

    for my $user (@{ $storm->{users} }) {
        my %is = seen($user);

        for my $field (sort keys %{ $user->{may} }) {
            my @may = @{ $user->{may}{$field} };
            push @lost, "$user->{id}: $field is $is{$field}, not "
                . join ' or ', @may unless grep { $_ eq $is{$field} } @may;
        }

        push @lost, "$user->{id}: there is no such user" if !$is{state};
        push @lost, "$user->{id}: $user->{sub} leads to $is{handle}"
            if $user->{sub} && $is{handle} ne $user->{id};
    }

    return @lost;
}


# What Redis has of it, in the words of note().
sub seen {
    my ($user) = @_;

    my %f = @{ redis('HGETALL', "{pu}:user:$user->{id}") };
    my $extra = $f{extra} ? $json->decode($f{extra}) : {};
    my %is = (state => $f{state} // '', title => $extra->{title} // '',
              role => ($f{roles} // '') =~ /\bwriter@/ ? 'writer' : '',
              key => '', handle => '');

    $is{handle} = redis('HGET', '{pu}:handle:sub:'
                        . handle_digest($user->{sub}), 'user') // ''
        if $user->{sub};

    if ($user->{key}) {
        my $digest = redis('GET', '{pu}:keyid:' . substr $user->{key}, 4, 10);
        $is{key} = redis('HGET', "{pu}:handle:key:$digest", 'state') // ''
            if $digest;
    }

    return %is;
}


sub half_made {
    my (%logged, %set, @half);

    for my $entry (@{ redis('XRANGE', '{pu}:log', '-', '+') }) {
        my %f = @{ $entry->[1] };
        push @half, "$f{user}: version $f{version} twice in the log"
            if $logged{ $f{user} }{ $f{version} }++ && $f{user} ne '';
    }

    for my $key (@{ redis('KEYS', '{pu}:*') }) {
        my ($kind, $id) = $key =~ /^\{pu\}:(\w+):(.*)/ or next;

        # a test has seeded these, not a writer
        next if $id =~ /^u_A{17}/;

        if ($kind eq 'user') {
            my ($version, $state) = @{ redis('HMGET', $key, 'version',
                                             'state') };
            push @half, "$id: no state" unless $state;
            push @half, "$id: no version $_ in the log"
                for grep { !$logged{$id}{$_} } 1 .. $version // 1;
            push @half, "$id: not in the index"
                unless defined redis('ZSCORE', '{pu}:users', $id);

        } elsif ($kind eq 'handle') {
            my $user = redis('HGET', $key, 'user') // '';
            push @half, "$id: no user $user"
                unless redis('EXISTS', "{pu}:user:$user");
            push @half, "$id: not among those of $user"
                unless redis('SISMEMBER', "{pu}:handles:$user", $id);
        }
    }

    return @half;
}


# Of the last users: a verdict for their tokens and keys that is Redis's own.
sub unseen {
    my ($storm, $nginx) = @_;

    my @known = grep { $_->{sub} } @{ $storm->{users} };
    splice @known, 0, @known - 150 if @known > 150;

    my ($c, @old);
    for my $user (@known) {
        my %is = seen($user);
        next unless $is{state};

        push @old, "$user->{sub}: $is{state}" unless agrees($nginx, \$c,
            $is{state} eq 'active' ? '200' : '403 user_suspended',
            token => as($user->{sub}));

        push @old, "key of $user->{sub}: $is{key}, $is{state}"
            if $is{key} && !agrees($nginx, \$c,
                $is{key} ne 'active' ? '401 key_revoked'
                : $is{state} eq 'active' ? '200' : '403 user_suspended',
                headers => [['X-API-Key' => $user->{key}]]);
    }

    return @old;
}


sub agrees {
    my ($nginx, $c, $expected, @with) = @_;

    return defined within(8, sub {
        my $r = call($nginx, $c, 'GET', '/', @with);
        return index(($r->{status} // 0) . ' '
                     . ($r->{headers}{'x-reason'} // ''), $expected) == 0;
    });
}


1;
